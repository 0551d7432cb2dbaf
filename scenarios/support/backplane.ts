import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { runBackplane } from '@backplane/cli'
import { compiledCode } from '@backplane/testing'
import type { Places } from './hypervisord.ts'

const program = fileURLToPath(new URL('../../packages/cli/src/backplane.ts', import.meta.url))

/** How a command line ended. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `backplane` as an operator does in a script: a process of its own, where nobody can be asked. */
export async function backplane({ socket, root }: Places, ...args: readonly string[]): Promise<Ran> {
  const env = { ...compiledCode, PATH: process.env['PATH'], HOME: root, BACKPLANE_SOCKET: socket }
  const flags = ['--conditions=@backplane/source', program, ...args]
  const child = spawn(process.execPath, flags, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  await once(child, 'close')
  return { code: child.exitCode, out, err }
}

/** Runs it in this process, which takes less time; `answers` are those of a person who is asked, without them there is nobody. */
export async function backplaneHere(
  { socket }: Pick<Places, 'socket'>,
  args: readonly string[],
  answers?: readonly string[],
): Promise<Ran> {
  let [out, err] = ['', '']
  const left = [...(answers ?? [])]
  const code = await runBackplane(args, {
    out: (text) => void (out += text.toString()),
    err: (text) => void (err += text),
    live: false,
    colors: false,
    env: { BACKPLANE_SOCKET: socket },
    ask: answers === undefined ? undefined : async (question) => ((err += question), left.shift() ?? ''),
    readSecret: async () => '',
    untilBreak: () => new AbortController().signal,
  })
  return { code, out, err }
}
