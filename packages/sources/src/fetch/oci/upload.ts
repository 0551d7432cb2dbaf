import { hash } from 'node:crypto'
import { sourceErrors } from '../../errors.ts'
import type { Descriptor } from './oci-manifest.ts'
import type { OciRepository } from './oci-repository.ts'
import type { RegistryAnswer } from './registry-request.ts'

/** Bytes and what they are. */
export interface Blob {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** Sends to a repository. Errors: `FETCH_DENIED`, `PUSH_REFUSED`, those of the repository. Source: OCI distribution 1.1, "Push". */
export const upload: {
  /** Nothing is sent that is there. */
  readonly blob: (repository: OciRepository, blob: Blob) => Promise<void>
  /** By its digest, or under a tag; answers whether the registry lists what is said of other manifests itself. */
  readonly manifest: (repository: OciRepository, blob: Blob, tag?: string) => Promise<boolean>
} = {
  blob: async (repository, { descriptor: { digest }, bytes }) => {
    const there = await repository.ask({ method: 'HEAD' }, `blobs/${digest}`)
    if (there.status === 200) return
    const begun = await repository.ask({ method: 'POST' }, 'blobs/uploads/')
    check(repository, begun, 'an upload')
    const to = repository.addressOf(begun.headers.location ?? '')
    to.searchParams.set('digest', digest)
    check(
      repository,
      await repository.ask({ method: 'PUT', type: 'application/octet-stream', body: bytes }, to),
      `the blob ${digest}`,
    )
  },
  manifest: async (repository, { descriptor: { mediaType, digest }, bytes }, tag) => {
    const answer = await repository.ask({ method: 'PUT', type: mediaType, body: bytes }, `manifests/${tag ?? digest}`)
    check(repository, answer, `the manifest ${tag ?? digest}`)
    return answer.headers['oci-subject'] !== undefined
  },
}

/** What some bytes are. */
export function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: `sha256:${hash('sha256', bytes)}`, size: bytes.length }
}

/** A JSON value as it is sent. */
export function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function check({ place }: OciRepository, { status }: RegistryAnswer, what: string): void {
  if (status >= 200 && status < 300) return
  if (status === 401 || status === 403) throw sourceErrors.error('FETCH_DENIED', { place, reason: `it answers ${status}` })
  throw sourceErrors.error('PUSH_REFUSED', { place, what, status })
}
