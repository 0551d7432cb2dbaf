import { spawn, type ChildProcess } from 'node:child_process'

/** One run of a program. Arguments are passed as they are; no shell is involved. */
export interface ProgramRun {
  readonly args: readonly string[]
  /** Open files the program finds as `/dev/fd/3` and up. */
  readonly descriptors?: readonly number[]
  readonly signal: AbortSignal
  /** Told every piece of standard output; without it, output is collected. */
  readonly onOutput?: (text: string) => void
  /** Most of standard output that is collected, bytes; a program that writes more is ended. Default 1 MiB. */
  readonly outputBytes?: number
}

/** How a program ended. `missing`: not installed, or the plugin may not run it; `reason` says which. */
export type ProgramResult =
  | { readonly kind: 'done'; readonly output: string }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'missing'; readonly reason: string }

const searched = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin'
const keptErrorBytes = 4096
const graceMs = 2000
const running = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a program to its end. Rejects only with the signal's reason, and only after the program is gone. */
export async function runProgram(program: string, run: ProgramRun): Promise<ProgramResult> {
  run.signal.throwIfAborted()
  let child: ChildProcess
  try {
    child = spawn(program, run.args, {
      env: { PATH: searched, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe', ...(run.descriptors ?? [])],
    })
  } catch (error) {
    return startFailure(error)
  }
  running.add(child)
  const stop = stopper(child)
  run.signal.addEventListener('abort', stop, { once: true })
  try {
    const result = await ended(child, run, stop)
    run.signal.throwIfAborted()
    return result
  } finally {
    run.signal.removeEventListener('abort', stop)
    running.delete(child)
  }
}

async function ended(child: ChildProcess, run: ProgramRun, stop: () => void): Promise<ProgramResult> {
  const limit = run.outputBytes ?? 1024 * 1024
  let output = ''
  let errors = ''
  let overflow = false
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (run.onOutput !== undefined) return run.onOutput(text)
    if (overflow || output.length + text.length <= limit) return void (output += text)
    overflow = true
    stop()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-keptErrorBytes)
  })
  const end = await new Promise<{ code: number | null; signal: string | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  if (end.error !== undefined) return startFailure(end.error)
  if (overflow) return { kind: 'failed', reason: `it wrote more than ${limit} bytes` }
  if (end.code === 0) return { kind: 'done', output }
  const how = end.signal === null ? `it ended with code ${end.code}` : `it was ended by ${end.signal}`
  return { kind: 'failed', reason: errors.trim() || how }
}

/** Asks the program to end, and kills it when it does not. Its output is of no more interest, even to its own children. */
function stopper(child: ChildProcess): () => void {
  return () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    child.once('exit', () => {
      clearTimeout(timer)
      child.stdout?.destroy()
      child.stderr?.destroy()
    })
  }
}

function startFailure(error: unknown): ProgramResult {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'ENOENT') return { kind: 'missing', reason: 'is not installed' }
  if (code === 'ERR_ACCESS_DENIED') return { kind: 'missing', reason: 'this plugin may not run' }
  if (code === 'EACCES') return { kind: 'missing', reason: 'cannot be executed' }
  return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
}
