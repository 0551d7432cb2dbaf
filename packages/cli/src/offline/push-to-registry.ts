import { packArchive, pushPackage, type Credential, type OciFetcherOptions } from '@backplane/sources/install'
import { printableLine } from '@backplane/terminal'
import type { TrustPolicy } from '@backplane/trust'
import { backplaneErrors } from '../errors.ts'
import { progressBar } from '../installing/progress-bar.ts'
import { registryReference } from '../installing/reference.ts'
import { show, type Session } from '../session.ts'
import { breakable } from './breakable.ts'
import { readText } from './file-text.ts'
import { judgePackage, readPolicyFile, type JudgedPackage } from './judge-package.ts'
import { readPackage } from './read-package.ts'

/** How a package is published. */
export interface PushOptions {
  readonly platform: string
  /** `linux-arm64=./s3-arm64.tgz`. */
  readonly with: readonly string[]
  readonly policy?: string
  readonly registryUrl?: string
  readonly allowHttp?: true
  readonly tokensFrom: readonly string[]
  readonly username?: string
  readonly passwordFile?: string
  readonly bearerFile?: string
}

/**
 * Publishes a folder or a `.tgz` to a registry, with the signatures beside it. Errors: `BACKPLANE_USAGE`, `BACKPLANE_PUSH_REFUSED`, `BACKPLANE_BROKEN_OFF`, those of
 * {@link judgePackage}, and of {@link pushPackage}.
 */
export async function pushToRegistry(session: Session, path: string, to: string, options: PushOptions): Promise<void> {
  const reference = registryReference(to)
  const registry = /^oci:([^/]+)\//.exec(reference)?.[1]
  if (registry === undefined) {
    throw backplaneErrors.error('BACKPLANE_USAGE', { reason: `${to} is no place such as oci://registry.example.org/acme/s3` })
  }
  const policy = options.policy === undefined ? { allowUnsigned: true } : await readPolicyFile(options.policy)
  const packages = await packagesOf(path, options, policy)
  const archives: Record<string, Uint8Array> = {}
  for (const [platform, judged] of packages) archives[platform] = await archiveOf(judged)
  const attestations = packages.flatMap(([, { fetched }]) => fetched.attestations.map(({ content }) => content))
  const registries = await registryOf(session, registry, options)
  const pushed = await breakable(session.terminal, 'the tag was not written', async (signal) => {
    using bar = progressBar(session.terminal, session.json)
    return await pushPackage(reference, { archives, attestations }, registries, { signal, onProgress: bar.show })
  })
  const [[, { id }] = ['', { id: '' }]] = packages
  const { version, tag, digest, wasThere } = pushed
  const place = `${reference.replace(/:[^:/]+$/, '')}:${tag}`
  show(
    session,
    { id, version, reference: place, digest, attestations: attestations.length, changed: !wasThere },
    () => `${printableLine(`${id} ${version}`)} ${wasThere ? 'is there already' : 'pushed'}: ${place} (${digest})\n`,
  )
}

/** By platform, each judged. Errors: `BACKPLANE_USAGE`, `BACKPLANE_PUSH_REFUSED`. */
async function packagesOf(
  path: string,
  { platform, with: more }: PushOptions,
  policy: TrustPolicy,
): Promise<readonly (readonly [platform: string, judged: JudgedPackage])[]> {
  const named = [[platform, path] as const, ...more.map(withPlatform)]
  if (new Set(named.map(([name]) => name)).size < named.length) {
    throw backplaneErrors.error('BACKPLANE_USAGE', { reason: 'a platform is named twice' })
  }
  return Promise.all(
    named.map(async ([name, place]) => {
      const judged = await judgePackage(place, policy)
      const refusal = judged.verdict.rules.find(({ outcome }) => outcome === 'refused')
      if (refusal === undefined && judged.verdict.ok) return [name, judged] as const
      const { reason = 'the verdict refuses it', fix = null } = refusal ?? {}
      const { id, version } = judged
      const hint = fix ?? 'Run `backplane verify` on it to see the whole verdict.'
      throw backplaneErrors.error('BACKPLANE_PUSH_REFUSED', { package: `${id} ${version}`, reason, hint }, { plugin: id })
    }),
  )
}

function withPlatform(text: string): readonly [platform: string, path: string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason: `--with ${text} is not of the form linux-arm64=./s3-arm64.tgz` })
}

/** An archive as it is; a folder packed so that equal files are equal bytes, its signatures apart. */
async function archiveOf({ path, fetched }: JudgedPackage): Promise<Uint8Array> {
  if (fetched.archive === undefined) return packArchive(fetched.tree.files)
  const { fetched: kept } = await readPackage(path, { keepArchive: true })
  // read twice: what is sent is what was judged
  if (kept.archive === fetched.archive && kept.archiveBytes !== undefined) return kept.archiveBytes
  const hint = 'Run it again once nobody writes to it any more.'
  throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'it changed while it was read', hint })
}

async function registryOf(session: Session, name: string, options: PushOptions): Promise<OciFetcherOptions> {
  const { registryUrl: url, allowHttp = false, tokensFrom } = options
  const credential = await credentialOf(session, name, options)
  const registry = {
    allowHttp,
    tokensFrom,
    ...(url === undefined ? {} : { url }),
    ...(credential === undefined ? {} : { credential: () => credential }),
  }
  return { registries: { [name]: registry } }
}

/** Never on the command line, where others see it. */
async function credentialOf(
  { terminal }: Session,
  registry: string,
  { username: user, passwordFile, bearerFile }: PushOptions,
): Promise<Credential | undefined> {
  const { BACKPLANE_REGISTRY_PASSWORD: password, BACKPLANE_REGISTRY_TOKEN: token } = terminal.env
  const usage = (reason: string): Error => backplaneErrors.error('BACKPLANE_USAGE', { reason })
  if (user !== undefined && bearerFile !== undefined) throw usage('take --username or --bearer-file, not both')
  if (user !== undefined) {
    const said = passwordFile === undefined ? password : await secretIn(passwordFile)
    const given = said ?? (await terminal.readSecret(`Password of ${user} at ${registry}: `)).trim()
    if (given === '') throw usage(`no password of ${user} was given`)
    return { kind: 'basic', user, password: given }
  }
  if (passwordFile !== undefined) throw usage('--password-file needs --username')
  const bearer = bearerFile === undefined ? token : await secretIn(bearerFile)
  return bearer === undefined ? undefined : { kind: 'bearer', token: bearer }
}

async function secretIn(path: string): Promise<string> {
  return (await readText(path)).trim()
}
