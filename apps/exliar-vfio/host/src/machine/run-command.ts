import { spawn, type ChildProcess } from 'node:child_process'
import { errnoOf } from './errno-of.ts'

/** A command of this machine's; no shell is involved. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Given on standard input; default: nothing. */
  readonly input?: string
  /** Ends it early; the answer then says so. */
  readonly signal?: AbortSignal
  readonly timeoutMs: number
  /** Of standard output; a program that writes more is ended. */
  readonly outputBytes: number
}

/** How a command ended. */
export interface CommandEnd {
  /** Null: it never ran, or was ended. */
  readonly exitCode: number | null
  /** Standard output. */
  readonly output: string
  /** Last part of standard error. */
  readonly errors: string
  /** Why it did not end by itself with code 0, in words. */
  readonly failure: string | undefined
}

const keptErrorBytes = 64 * 1024
const graceMs = 5000

/** Runs a command to its end, and never rejects. What it started ends with it when it is ended early. */
export async function runCommand(command: Command): Promise<CommandEnd> {
  const deadline = AbortSignal.timeout(command.timeoutMs)
  const ending = AbortSignal.any([deadline, ...(command.signal === undefined ? [] : [command.signal])])
  if (ending.aborted) return { exitCode: null, output: '', errors: '', failure: 'it was cancelled before it started' }
  let child: ChildProcess
  try {
    const { program, args, environment } = command
    // A group of its own, so that its children can be ended with it.
    child = spawn(program, args, { cwd: '/', env: environment, stdio: 'pipe', detached: true })
  } catch (error) {
    return { exitCode: null, output: '', errors: '', failure: errnoOf(error) }
  }
  const stop = (): void => endGroup(child)
  ending.addEventListener('abort', stop, { once: true })
  try {
    const end = await untilEnd(child, command)
    if (!ending.aborted) return end
    const why = deadline.aborted ? `it took longer than ${command.timeoutMs / 1000} s` : 'it was cancelled'
    return { ...end, exitCode: null, failure: why }
  } finally {
    ending.removeEventListener('abort', stop)
  }
}

async function untilEnd(child: ChildProcess, { input, outputBytes }: Command): Promise<CommandEnd> {
  let output = ''
  let errors = ''
  let isTooMuch = false
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (!isTooMuch && output.length + text.length <= outputBytes) return void (output += text)
    if (!isTooMuch) endGroup(child)
    isTooMuch = true
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-keptErrorBytes)
  })
  // A program that does not read its input closes it; that is its own business.
  child.stdin?.on('error', () => undefined).end(input ?? '')
  const end = await new Promise<{ code: number | null; signal: string | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  if (end.error !== undefined) return { exitCode: null, output, errors, failure: errnoOf(end.error) }
  if (isTooMuch) return { exitCode: null, output, errors, failure: `it wrote more than ${outputBytes} bytes` }
  if (end.code === 0) return { exitCode: 0, output, errors, failure: undefined }
  return {
    exitCode: end.code,
    output,
    errors,
    failure: end.code === null ? `it was ended by ${end.signal}` : `it ended with code ${end.code}`,
  }
}

/** Asks the group to end, and kills it when it does not. */
function endGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM')
  const timer = setTimeout(() => {
    signalGroup(child, 'SIGKILL')
    // One that left the group may still hold them open.
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, graceMs)
  child.once('close', () => {
    clearTimeout(timer)
    signalGroup(child, 'SIGKILL')
  })
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The whole group is gone.
  }
}
