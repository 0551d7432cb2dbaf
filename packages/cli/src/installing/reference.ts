import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { Session } from '../session.ts'
import { progressBar } from './progress-bar.ts'

/** `oci://registry.example.org/acme/s3` is how others write `oci:registry.example.org/acme/s3`. */
export function registryReference(reference: string): string {
  return reference.replace(/^oci:\/\//, 'oci:')
}

/** What says which kind of place it is. */
const kindPattern = /^[a-z][a-z+]*:/

/**
 * A reference as the host understands it: an archive that lies here is sent there, a folder is named by its absolute path. What is
 * not here is taken to be a place of the host.
 */
export async function hostReference(session: Session, reference: string): Promise<string> {
  if (reference.startsWith('bundle:')) return `bundle:${resolve(reference.slice('bundle:'.length))}`
  if (kindPattern.test(reference)) return registryReference(reference)
  const path = resolve(reference)
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined) return reference
  if (stats.isDirectory()) return path
  using bar = progressBar(session.terminal, session.json)
  const total = stats.size
  const bytes = Readable.from(
    counted(createReadStream(path), (done) => bar.show({ done, total, phase: `sending ${reference}` })),
    { objectMode: false },
  )
  const answer = await session.api().upload('/api/plugins/upload', { type: 'application/octet-stream', bytes, sizeBytes: total })
  return String(Reflect.get(Object(answer), 'reference'))
}

async function* counted(bytes: AsyncIterable<Uint8Array>, count: (done: number) => void): AsyncGenerator<Uint8Array> {
  let done = 0
  for await (const piece of bytes) {
    yield piece
    done += piece.length
    count(done)
  }
}
