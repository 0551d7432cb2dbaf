import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What {@link writeNotingPlugin} writes. */
export interface NotingVersion {
  /** Grows with each version. */
  readonly number: number
  /** Its setup throws. */
  readonly isBroken: boolean
}

/** Every second version has another `stateVersion`, every seventh cannot be started. */
export function notingVersion(number: number): NotingVersion & { readonly stateVersion: number } {
  return { number, isBroken: number % 7 === 0, stateVersion: 1 + Math.floor(number / 2) }
}

/**
 * Puts a version of a plugin into a folder of its own below `plugins`, in one step. It keeps numbers it is given, in its state
 * and in a file, in a form that only one `stateVersion` reads; each version migrates from any older form.
 */
export async function writeNotingPlugin(root: string, number: number): Promise<void> {
  const { isBroken, stateVersion } = notingVersion(number)
  const staging = join(root, 'staging')
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { recursive: true })
  const manifest = {
    schemaVersion: 1,
    id: 'scenario/notes',
    version: `1.0.${number}`,
    stateVersion,
    requires: { api: '^1.0.0' },
    contributes: { 'scenario.notes': { it: {} } },
  }
  await Promise.all([
    writeFile(join(staging, 'package.json'), '{ "type": "module" }'),
    writeFile(join(staging, 'plugin.json'), JSON.stringify(manifest)),
    writeFile(join(staging, 'index.js'), codeOf(number, stateVersion, isBroken)),
  ])
  await mkdir(join(root, 'plugins'), { recursive: true })
  await rename(staging, join(root, 'plugins', `v${number}`))
}

function codeOf(number: number, stateVersion: number, isBroken: boolean): string {
  return `import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const point = defineProvider('scenario.notes', { add: unary(anything, anything), read: unary(anything, anything) })
const form = 'form ${stateVersion}'

/** What is stored is read only in its own form. */
async function read(state, directories) {
  const stored = await state.get('notes')
  const lines = (await readFile(join(directories.data, 'notes.txt'), 'utf8').catch(() => '')).split('\\n').filter(Boolean)
  return { form: stored?.form, notes: stored?.notes ?? [], fileForm: lines[0], lines: lines.slice(1).map(Number) }
}

export default definePlugin(
  async (scope) => {
    ${isBroken ? 'throw new Error("this version is broken")' : ''}
    const file = join(scope.directories.data, 'notes.txt')
    const stored = await scope.state.get('notes')
    if (stored === undefined) {
      await scope.state.set('notes', { form, notes: [] })
      await writeFile(file, form + '\\n')
    } else if (stored.form !== form) {
      throw new Error('found ' + stored.form + ' instead of ' + form)
    }
    let turn = Promise.resolve()
    const add = async (note) => {
      const { notes } = await scope.state.get('notes')
      await scope.state.set('notes', { form, notes: [...notes, note] })
      return note
    }
    scope.provide(point, 'it', {
      add: (note) => (turn = turn.then(() => add(note), () => add(note))),
      read: async () => ({ version: ${number}, ...(await read(scope.state, scope.directories)) }),
    })
  },
  {
    migrate: async ({ state, directories }) => {
      const { notes, lines } = await read(state, directories)
      await state.set('notes', { form, notes })
      await writeFile(join(directories.data, 'notes.txt'), form + '\\n' + lines.join('\\n'))
    },
  },
)
`
}
