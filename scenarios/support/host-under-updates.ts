/*
 * A host that updates its own plugin without a pause, calls it all the while, and says what it was answered; to be killed.
 * `host-under-updates.ts <root> <tier>`. Lines: `ready <JSON of what the plugin has>`, `noted <number>`, `serves <version>`,
 * `failed <reason>`.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createKernel } from '@backplane/kernel'
import { confined, trusted } from '@backplane/runtimes'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { sqliteStore } from '@backplane/storage'
import { writeNotingPlugin } from './noting-plugin.ts'

const [root = '', tier = 'trusted', firstNote = '0'] = process.argv.slice(2)
const point = defineProvider('scenario.notes', { add: unary(anything, anything), read: unary(anything, anything) })
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const versionsOnDisk = async (): Promise<number[]> =>
  (await readdir(join(root, 'plugins'))).map((name) => Number(name.slice(1))).toSorted((one, other) => one - other)

const kernel = await createKernel({
  host: { name: 'scenario', api: '1.0.0' },
  points: [point],
  sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false, settleMs: 1 })],
  runtimes: [trusted({ modules }), confined({ modules })],
  store: sqliteStore(join(root, 'kernel.db')),
  dataDirectory: join(root, 'data'),
  policy: {
    tier: () => (tier === 'confined' ? 'confined' : 'trusted'),
    isolation: () => ({ floor: 'process' }),
    waive: () => ['*'],
  },
  // how fast this machine starts processes and writes to its disk is not what is being tried
  probation: { slowerFloorMs: 600_000 },
  limits: { timeoutMs: 60_000 },
  times: { readyMs: 60_000 },
  watch: false,
})
const client = kernel.provider(point, 'it')
const record = (): string | undefined => kernel.plugins.get('scenario/notes')?.version
say(`ready ${JSON.stringify(await client.read(null))}`)

async function note(): Promise<never> {
  for (let number = Number(firstNote); ; number += 1) {
    try {
      say(`noted ${String(await client.add(number))}`)
    } catch (error) {
      const code: unknown = error instanceof Error ? Reflect.get(error, 'details')?.pluginCode : undefined
      // the version that was replaced meanwhile says so; nothing else may go wrong
      if (code !== 'STATE_REPLACED') say(`failed ${String(error)}`)
    }
  }
}

async function update(): Promise<never> {
  for (;;) {
    const versions = await versionsOnDisk()
    await writeNotingPlugin(root, (versions.at(-1) ?? 0) + 1)
    await kernel.plugins.refresh()
    say(`serves ${record()}`)
    for (const old of versions.slice(0, -2)) await rm(join(root, 'plugins', `v${old}`), { recursive: true })
  }
}

await Promise.all([note(), update()])
