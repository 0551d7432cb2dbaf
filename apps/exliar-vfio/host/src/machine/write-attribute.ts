import { spawn } from 'node:child_process'
import { exliarErrors } from '../errors.ts'

/** Longest that a driver may take to let go of a device, or to take it, ms. */
export const attributeDeadlineMs = 30_000

/** Says the name of the error on its output, and nothing when all went well. */
const script = `const { closeSync, constants, openSync, readSync, writeSync } = require('node:fs')
const [, path, value] = process.argv
try {
  const flags = value === undefined ? constants.O_RDONLY : constants.O_WRONLY | constants.O_TRUNC
  const file = openSync(path, flags | constants.O_NOFOLLOW)
  if (value === undefined) readSync(file, Buffer.alloc(4096))
  else writeSync(file, value)
  closeSync(file)
} catch (error) {
  process.stdout.write(error.code ?? String(error))
}`

/** What the kernel is asked or told, and where. */
interface AttributeUse {
  /** On this machine. */
  readonly hostPath: string
  readonly deadlineMs: number
}

/**
 * Writes to a file of the kernel's, in a process of its own: a driver that does not let go of its device holds whoever asked, and
 * no signal ends that. Rejects with an error whose `code` is the kernel's own. Errors: `ATTRIBUTE_BLOCKED` after the deadline;
 * the process is left to it then, and what was written may still happen.
 */
export async function writeAttribute(
  { hostPath, deadlineMs }: AttributeUse,
  { value, path }: { readonly value: string; /** As the machine names it, for the error. */ readonly path: string },
): Promise<void> {
  const end = await inProcess([hostPath, value], deadlineMs)
  if (end.kind === 'blocked') {
    const details = { seconds: deadlineMs / 1_000, pid: end.pid }
    throw exliarErrors.error('ATTRIBUTE_BLOCKED', { path, ...details }, { details })
  }
  if (end.said !== '') throw Object.assign(new Error(end.said), { code: end.said })
}

/** Whether the kernel answers what is read there within the deadline, whatever it answers. */
export async function attributeAnswers({ hostPath, deadlineMs }: AttributeUse): Promise<boolean> {
  return (await inProcess([hostPath], deadlineMs)).kind === 'ended'
}

type End = { readonly kind: 'ended'; readonly said: string } | { readonly kind: 'blocked'; readonly pid: number }

async function inProcess([path = '', ...more]: readonly string[], deadlineMs: number): Promise<End> {
  const own = path.replace(/^\/proc\/self\//, `/proc/${process.pid}/`)
  // A group of its own: a break at the terminal, such as a second one during an undo, must not end it in the middle.
  const child = spawn(process.execPath, ['-e', script, own, ...more], {
    env: {},
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  const ended = Promise.withResolvers<End>()
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.once('error', ended.reject)
  child.once('close', (code) => {
    ended.resolve({ kind: 'ended', said: code === 0 ? said : 'its process did not end well' })
  })
  const timer = setTimeout(() => {
    ended.resolve({ kind: 'blocked', pid: child.pid ?? 0 })
    // It heeds that as soon as the kernel lets it; nobody waits for that here.
    child.kill('SIGKILL')
    child.stdout.destroy()
    child.unref()
  }, deadlineMs)
  try {
    return await ended.promise
  } finally {
    clearTimeout(timer)
  }
}
