import { valid, validRange } from 'semver'
import { z } from 'zod'
import { sourceErrors } from '../../errors.ts'

/** What `index.json` is signed as. */
export const indexPayloadType = 'application/vnd.backplane.index.v1+json'

const idPattern = /^[a-z0-9][a-z0-9-]{0,63}\/[a-z0-9][a-z0-9-]{0,63}$/

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is no digest')
const Instant = z.iso.datetime()
const Version = z.string().refine((text) => valid(text) === text, 'is no version')
const Id = z.string().regex(idPattern, 'is no plugin id')
const File = z.object({ path: z.string(), digest: Digest })
const Told = { description: z.string().max(1_000).exactOptional(), tags: z.array(z.string().max(100)).max(50).exactOptional() }

const Index = z.object({
  version: z.number().int().min(1),
  issued: Instant,
  expires: Instant,
  plugins: z.record(Id, z.object({ ...File.shape, latest: Version, ...Told })),
  advisories: File,
})

const Plugin = z.object({
  id: Id,
  versions: z.record(
    Version,
    z.object({
      archive: z.string(),
      digest: Digest,
      sizeBytes: z.number().int().min(0),
      publishedAt: Instant,
      permissions: z.array(z.string()),
      dependencies: z.record(
        Id,
        // in this order: to read a long one takes seconds
        z
          .string()
          .max(256, { abort: true })
          .refine((range) => validRange(range) !== null, 'is no range'),
      ),
      deprecated: z.string().max(500).exactOptional(),
      ...Told,
    }),
  ),
})

/** What `index.json` says when its envelope is open. Members it does not name are ignored, for later versions of this format. */
export interface IndexDocument {
  /** From 1; each time it is written it is more. */
  readonly version: number
  /** UTC, as `Date.toISOString` writes it; `expires` bounds how long somebody can hide the next one. */
  readonly issued: string
  readonly expires: string
  /** By id. */
  readonly plugins: Readonly<Record<string, IndexEntry>>
  readonly advisories: IndexFile
}

/** A file of the index and the digest of its bytes; its name is another whenever its contents are. */
export interface IndexFile {
  /** From the index's folder, with slashes. */
  readonly path: string
  readonly digest: string
}

/** Enough of a plugin to search for it; more is in its file. */
export interface IndexEntry extends IndexFile {
  readonly latest: string
  readonly description?: string
  readonly tags?: readonly string[]
}

/** All versions of one plugin. */
export interface IndexedPlugin {
  readonly id: string
  readonly versions: Readonly<Record<string, IndexedVersion>>
}

/** One version. What it says beside the digest is the publisher's word, for people; its manifest is what counts. */
export interface IndexedVersion {
  /** Path of the archive from the index's folder. */
  readonly archive: string
  readonly digest: string
  readonly sizeBytes: number
  readonly publishedAt: string
  readonly permissions: readonly string[]
  readonly dependencies: Readonly<Record<string, string>>
  readonly deprecated?: string
  readonly description?: string
  readonly tags?: readonly string[]
}

/**
 * Refuses what cannot be an envelope before it is parsed: one is a long text with few members around it, while a text of members
 * keeps a host busy for seconds, and nobody has vouched for it yet. Errors: `INDEX_INVALID`.
 */
export function checkEnvelopeText(bytes: Uint8Array, place: string): void {
  let members = 0
  for (let at = bytes.indexOf(comma); at !== -1; at = bytes.indexOf(comma, at + 1)) {
    members += 1
    if (members > mostMembers) throw sourceErrors.error('INDEX_INVALID', { place, problem: 'it is no envelope with signatures' })
  }
}

const comma = 0x2c
/** Of an envelope with as many signatures as a verdict looks at, and some more. */
const mostMembers = 1_000

/** Errors: `INDEX_INVALID`. */
export function readIndexDocument(value: unknown, place: string): IndexDocument {
  return shaped(Index, value, place)
}

/** Errors: `INDEX_INVALID`. */
export function readIndexedPlugin(value: unknown, id: string, place: string): IndexedPlugin {
  const plugin = shaped(Plugin, value, place)
  if (plugin.id === id) return plugin
  throw sourceErrors.error('INDEX_INVALID', { place, problem: `it is about ${plugin.id}, not ${id}` })
}

/** Whether a text is `publisher/name`. */
export function isPluginId(text: string): boolean {
  return idPattern.test(text)
}

/** A path that cannot mean anything but a file below the index's folder. Errors: `INDEX_PATH_ESCAPES`. */
export function checkedPath(path: string, index: string): string {
  const isPlain = path.length <= 512 && path.split('/').every((part) => /^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(part))
  if (isPlain) return path
  const shown = path.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 80)
  throw sourceErrors.error('INDEX_PATH_ESCAPES', { index, path: shown })
}

function shaped<T>(schema: z.ZodType<T>, value: unknown, place: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = (issue?.path ?? []).join('.')
  throw sourceErrors.error('INDEX_INVALID', {
    place,
    problem: `${where === '' ? 'it' : where}: ${issue?.message ?? 'is not valid'}`,
  })
}
