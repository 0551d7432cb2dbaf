import { spawn } from 'node:child_process'
import { exliarErrors } from '../errors.ts'

/** Longest that a driver may take to let go of a device, or to take it, ms. */
export const attributeDeadlineMs = 30_000

/** Answers the name of the error on its output, and nothing when it is written. */
const script = `const { closeSync, constants, openSync, writeSync } = require('node:fs')
try {
  const file = openSync(process.argv[1], constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW)
  writeSync(file, process.argv[2])
  closeSync(file)
} catch (error) {
  process.stdout.write(error.code ?? String(error))
}`

/** What the kernel is told, and where. */
export interface AttributeWrite {
  /** On this machine. */
  readonly hostPath: string
  readonly value: string
  readonly deadlineMs: number
  /** As the machine names it, for the error. */
  readonly path: string
}

/**
 * Writes to a file of the kernel's, in a process of its own: a driver that does not let go of its device holds whoever asked, and
 * no signal ends that. Rejects with an error whose `code` is the kernel's own. Errors: `ATTRIBUTE_BLOCKED` after the deadline;
 * the process is left to it then, and what was written may still happen.
 */
export async function writeAttribute({ hostPath, value, deadlineMs, path }: AttributeWrite): Promise<void> {
  const own = hostPath.replace(/^\/proc\/self\//, `/proc/${process.pid}/`)
  const child = spawn(process.execPath, ['-e', script, own, value], { env: {}, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = Promise.withResolvers<string>()
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.once('error', ended.reject)
  child.once('close', (code) => ended.resolve(code === 0 ? said : 'the process that was to write it did not end well'))
  const timer = setTimeout(() => {
    const details = { seconds: deadlineMs / 1_000, pid: child.pid ?? 0 }
    ended.reject(exliarErrors.error('ATTRIBUTE_BLOCKED', { path, ...details }, { details }))
    // It heeds that as soon as the kernel lets it; nobody waits for that here.
    child.kill('SIGKILL')
    child.stdout.destroy()
    child.unref()
  }, deadlineMs)
  try {
    const code = await ended.promise
    if (code !== '') throw Object.assign(new Error(code), { code })
  } finally {
    clearTimeout(timer)
  }
}
