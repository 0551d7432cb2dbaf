import { closeSync, openSync, readSync } from 'node:fs'

/** What the kernel starts in a program's place: the loader of a dynamic program, or a script's interpreter. */
export interface Interpreter {
  readonly kind: 'loader' | 'script'
  readonly path: string
}

const headBytes = 4_096
const elfMagic = 0x7f45_4c46
const interpreterSegment = 3

/** Reads the head of a program; undefined for one that stands alone. Throws when it cannot be read. Source: elf(5). */
export function interpreterOf(program: string): Interpreter | undefined {
  const file = openSync(program, 'r')
  try {
    const head = readAt(file, 0, headBytes)
    if (head.toString('latin1', 0, 2) === '#!') return scriptInterpreter(head)
    if (head.length < 64 || head.readUInt32BE(0) !== elfMagic) return undefined
    const [tableAt, entryBytes, entries] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)]
    for (let at = tableAt; at < tableAt + entries * entryBytes && at + entryBytes <= head.length; at += entryBytes) {
      if (head.readUInt32LE(at) !== interpreterSegment) continue
      const text = readAt(file, Number(head.readBigUInt64LE(at + 8)), Number(head.readBigUInt64LE(at + 32)))
      return { kind: 'loader', path: text.toString('utf8').replace(/\0.*$/s, '') }
    }
    return undefined
  } finally {
    closeSync(file)
  }
}

function scriptInterpreter(head: Buffer): Interpreter | undefined {
  const [path = ''] = head.toString('utf8', 2).split('\n', 1)[0]?.trim().split(/\s+/) ?? []
  return path.startsWith('/') ? { kind: 'script', path } : undefined
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.min(length, headBytes))
  return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, at))
}
