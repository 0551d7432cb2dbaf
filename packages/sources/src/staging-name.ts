import { randomBytes } from 'node:crypto'

const pattern = /^\.staging-(\d+)-[0-9a-f]{16}$/
const live = new Set<string>()

/** A name for a folder that is being written by this process; dispose when the folder is gone. */
export function stagingName(): Disposable & { readonly name: string } {
  const name = `.staging-${process.pid}-${randomBytes(8).toString('hex')}`
  live.add(name)
  return { name, [Symbol.dispose]: () => void live.delete(name) }
}

/** Whether `name` was left behind: its process is gone, or it is an earlier one with this process's number. */
export function isLeftover(name: string): boolean {
  const pid = Number(pattern.exec(name)?.[1] ?? Number.NaN)
  if (Number.isNaN(pid)) return false
  return pid === process.pid ? !live.has(name) : !isRunning(pid)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && Reflect.get(error, 'code') === 'EPERM'
  }
}
