import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  indexFetcher,
  mirrorInto,
  npmFetcher,
  openBundle,
  packagesIn,
  type Fetcher,
  type IndexFetcher,
  type MirroredPackage,
} from '@backplane/sources/install'
import type { Advisory } from '@backplane/trust'
import { printableLine } from '@backplane/terminal'
import { backplaneErrors } from '../errors.ts'
import { show, type Session } from '../session.ts'
import { breakable } from './breakable.ts'
import { readText } from './file-text.ts'
import { saveBundle } from './made-bundle.ts'

/** Where the packages of a mirror come from, and who signs it. */
export interface MirrorOptions {
  readonly key?: string
  readonly bundle?: string
  readonly fromIndex?: string
  readonly fromKey?: string
  readonly registry?: string
  readonly validDays: number
}

/** What goes into a mirror. */
interface Mirrored {
  readonly packages: AsyncIterable<MirroredPackage>
  /** Undefined leaves those of the mirror. */
  readonly advisories?: readonly Advisory[]
}

/** What a mirror is written with. */
interface Within {
  readonly signal: AbortSignal
  /** Removed when it is written. */
  readonly leftovers: AsyncDisposableStack
}

const dayMs = 24 * 3_600_000

/** Writes a signed index. Errors: `BACKPLANE_USAGE`, `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_BROKEN_OFF`, those of what is read and of what is written. */
export async function mirrorTo(session: Session, directory: string, ids: string[], options: MirrorOptions): Promise<void> {
  const key = await keyOf(options.key)
  const written = await breakable(session.terminal, 'the index is as it was', async (signal) => {
    await using leftovers = new AsyncDisposableStack()
    const { packages, advisories } = await mirroredFrom(session, ids, options, { signal, leftovers })
    return await mirrorInto(directory, packages, {
      keys: [key],
      validForMs: options.validDays * dayMs,
      signal,
      ...(advisories === undefined ? {} : { advisories }),
    })
  })
  const { added, unsigned, version, expires } = written
  show(session, { directory: resolve(directory), ...written }, () => {
    const lines = added.map((name) => `${printableLine(name)} added\n`).join('')
    return `${lines}version ${version} of the index is good until ${expires}\n`
  })
  for (const name of unsigned) {
    session.terminal.err(
      `the signatures of ${printableLine(name)} do not lie in its archive and stay behind: sign it with \`backplane sign\`\n`,
    )
  }
}

/** Errors: `BACKPLANE_USAGE`, `BACKPLANE_FILE_UNREADABLE`. */
async function keyOf(path: string | undefined): Promise<string> {
  if (path !== undefined) return readText(path)
  const reason = 'an index that nobody signed is taken by nobody: name a key with --key, and make one with `backplane keygen`'
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
}

async function mirroredFrom(
  session: Session,
  ids: readonly string[],
  { bundle, fromIndex, fromKey, registry }: MirrorOptions,
  within: Within,
): Promise<Mirrored> {
  const { signal } = within
  if ([bundle, fromIndex, registry].filter((one) => one !== undefined).length > 1) throw usage('take packages from one place')
  if (fromIndex !== undefined) {
    if (fromKey === undefined) throw usage('--from-index needs --from-key')
    const index = indexFetcher({ indexes: { from: { url: fromIndex, keys: [await readText(fromKey)] } } })
    const { found, problems } = await index.advisories({ signal })
    const [problem] = problems
    if (problem !== undefined) throw problem.error
    return { packages: ofIndex(index, ids, signal), advisories: found }
  }
  if (registry !== undefined) {
    if (ids.length === 0) throw usage('--registry needs the names of packages')
    return { packages: ofReferences(npmFetcher({ registries: { '*': { url: registry } } }), ids, signal) }
  }
  const opened = await openBundle(bundle ?? (await hostBundle(session, within)), {
    place: bundle ?? 'the bundle of the host',
    signal,
  })
  const missing = ids.find((id) => !Object.hasOwn(opened.lock.plugins, id))
  if (missing !== undefined) throw usage(`${missing} is not in the lock`)
  for (const [id, { artifacts }] of Object.entries(opened.lock.plugins)) {
    if (artifacts['any'] === undefined)
      session.terminal.err(`${printableLine(id)} is another for each platform and stays out of the index\n`)
  }
  return { packages: packagesIn(opened, ids.length === 0 ? undefined : new Set(ids), { signal }) }
}

async function hostBundle(session: Session, { signal, leftovers }: Within): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backplane-bundle-'))
  leftovers.defer(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'plugins.bundle')
  await saveBundle(session, path, signal)
  return path
}

/** All versions of these plugins, or of all. */
async function* ofIndex(index: IndexFetcher, ids: readonly string[], signal: AbortSignal): AsyncGenerator<MirroredPackage> {
  const all = ids.length === 0 ? (await index.search('', { signal })).found.map(({ id }) => id) : ids
  for (const id of all) yield* ofReferences(index, [`index:from:${id}@>=0.0.0-0`], signal)
}

async function* ofReferences(
  fetcher: Fetcher,
  references: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<MirroredPackage> {
  for (const reference of references) {
    for (const { version, place } of await fetcher.versions(reference, { signal })) {
      yield { name: `${reference} ${version}`, fetched: await fetcher.fetch(place, { signal, keepArchive: true }) }
    }
  }
}

function usage(reason: string): Error {
  return backplaneErrors.error('BACKPLANE_USAGE', { reason })
}
