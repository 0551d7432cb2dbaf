import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
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
