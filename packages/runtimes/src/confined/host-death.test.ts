import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { cgroupV1 } from '../sandbox/cgroup-v1.ts'
import { cgroupV2 } from '../sandbox/cgroup-v2.ts'

const program = fileURLToPath(new URL('../fixtures/host-to-kill.ts', import.meta.url))

test('a host that is killed takes a busy plugin, its programs and the pool with it', { timeout: 60_000 }, async (t) => {
  if (!requireProgram(t, 'setpriv', 'util-linux')) return
  await killedWithHost(t, 'loop', 'with')
})

test('without setpriv, an idle plugin and the pool end when the host is killed', { timeout: 60_000 }, async (t) => {
  await killedWithHost(t, 'never', 'without')
})

test(
  'a host that is killed takes a sandbox with all that runs in it, and the next host removes its groups',
  { timeout: 60_000 },
  async (t) => {
    if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
    const killed = await killedWithHost(t, 'loop', 'with', 'os')
    const left = async (): Promise<readonly string[]> => {
      const names = await readdir('/sys/fs/cgroup', { recursive: true }).catch(() => [])
      return names.filter((name) => name.includes(`backplane-${killed}-`) && isGroup(name))
    }
    if (cgroupV2() === undefined) cgroupV1()
    while ((await left()).length > 0) await delay(10)
  },
)

function isGroup(name: string): boolean {
  return /\/backplane-\d+-\d+-\d+$/.test(`/${name}`)
}

/** Answers the process id the host had. */
async function killedWithHost(
  t: TestContext,
  attack: string,
  setpriv: 'with' | 'without',
  floor: 'process' | 'os' = 'process',
): Promise<number> {
  const root = await temporaryDirectory(t)
  const args = [...process.execArgv.filter((arg) => arg.startsWith('--conditions')), program, root, attack, setpriv, floor]
  const host = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => host.kill('SIGKILL'))
  const lines = createInterface({ input: host.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  const { plugin, pids } = JSON.parse(line) as { plugin: number; pids: number[] }
  // What the plugin started is only held by setpriv.
  const started = pids.pop() ?? 0
  t.after(() => killQuietly(started))
  assert.ok(pids.includes(plugin) && pids.length >= 2, line)
  host.kill('SIGKILL')
  await once(host, 'exit')
  for (const pid of setpriv === 'with' ? [...pids, started] : pids) await gone(pid)
  return host.pid ?? 0
}

/** There is no event for the end of a process that is not one's own child. */
async function gone(pid: number): Promise<void> {
  while (await isRunning(pid)) await delay(10)
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat !== undefined && !/\) [ZX] /.test(stat)
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone, as it should be.
  }
}
