import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { isAbsolute } from 'node:path'
import type { SecretBroker } from '@backplane/kernel'
import { storageErrors } from '../errors.ts'
import { largestSecretBytes } from './plain-secrets.ts'
import { isSecretName } from './secret-name.ts'

/** A command that knows secrets. */
export interface SecretCommand {
  /** Program, an absolute path, and its arguments; `{name}` in them is the name, which else is the last one. No shell. */
  readonly argv: readonly [string, ...string[]]
  /** All of its environment. Default none. */
  readonly env?: Readonly<Record<string, string>>
  /** Longest time it may take, ms; then it and what it started are killed. Default 10 000. */
  readonly timeoutMs?: number
  /** Most it may print, bytes. Default 65 536. */
  readonly maxBytes?: number
}

/**
 * Asks a command each time. What it prints is the secret, without one end of line at its end; printing nothing and ending
 * with 0 says that there is none. Its output is in no error and no log. Errors: `SECRET_COMMAND_FAILED`.
 */
export function commandSecrets(command: SecretCommand): SecretBroker {
  const [program] = command.argv
  return {
    resolve: async (name) => {
      if (!isSecretName(name)) return undefined
      const failed = (reason: string): Error => storageErrors.error('SECRET_COMMAND_FAILED', { command: program, name, reason })
      if (!isAbsolute(program)) throw failed('it is not named by an absolute path')
      const output = await run(command, name, failed)
      const value = output.replace(/\r?\n$/, '')
      return value === '' ? undefined : value
    },
  }
}

async function run(command: SecretCommand, name: string, failed: (reason: string) => Error): Promise<string> {
  const { timeoutMs = 10_000, maxBytes = largestSecretBytes, env = {} } = command
  const [program, ...rest] = command.argv
  const args = rest.some((one) => one.includes('{name}')) ? rest.map((one) => one.replaceAll('{name}', name)) : [...rest, name]
  // A group of its own, so that what it started is killed with it.
  const child = spawn(program, args, { env: { ...env }, cwd: '/', stdio: ['ignore', 'pipe', 'ignore'], detached: true })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const { pid } = child
  // What could not be started may have no streams.
  if (pid === undefined) throw failed(`it could not be started (${await errorOf(ended)})`)
  let why: string | undefined
  const kill = (reason: string): void => {
    why ??= reason
    killGroup(pid)
    child.stdout.destroy()
  }
  const timer = setTimeout(() => kill(`it took longer than ${timeoutMs} ms`), timeoutMs)
  const chunks: Buffer[] = []
  let bytes = 0
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > maxBytes) kill(`it printed more than ${maxBytes} bytes`)
    else chunks.push(chunk)
  })
  try {
    const [code, signal] = await ended
    if (why !== undefined) throw failed(why)
    if (code !== 0) throw failed(`it ended with ${code ?? signal ?? 'nothing'}`)
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    clearTimeout(timer)
    killGroup(pid)
  }
}

async function errorOf(ended: Promise<unknown>): Promise<string> {
  const error: unknown = await ended.catch((thrown: unknown) => thrown)
  return String(Reflect.get(Object(error), 'code'))
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
