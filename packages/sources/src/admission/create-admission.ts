import type { Admission, AdmissionDecision, AdmissionRequest } from '@backplane/kernel'
import type { Finding, Subject, Verdict } from '@backplane/trust'
import type { InstalledSource } from '../lock/installed.ts'
import type { GrantsFile } from './grants-file.ts'

/** Whom an admission asks. */
export interface AdmissionOptions {
  /** The one verdict, with the policy and the time of now. */
  readonly judge: (subject: Subject) => Verdict
  /** What is installed: of these the lock says what they must be, and what was approved. */
  readonly installed?: InstalledSource
  /** What was approved for packages in folders. */
  readonly grants?: GrantsFile
  /**
   * Sources of which everything a manifest declares counts as approved; for development. What they start says so in its record.
   * Default: none.
   */
  readonly approvesDeclared?: (source: string) => boolean
  /**
   * What the scanners find in a package; undefined where none is to look. Asked at each start, as what they know grows, and once for
   * all who ask about the same digest at the same time. What serves goes on with what they found when it was started.
   */
  readonly scan?: (asked: AdmissionRequest, signal: AbortSignal) => Promise<readonly Finding[] | undefined>
}

/**
 * The kernel's gate: asks the verdict about the bytes that were hashed for this very start, and the lock or the grants for what
 * was approved and what is withheld. Code that ships with the host asks for no approval.
 */
export function createAdmission({ judge, installed, grants, approvesDeclared, scan }: AdmissionOptions): Admission {
  const looking = new Map<string, Found>()
  const seen = new WeakMap<AdmissionRequest['staged'], Found>()
  const isInstalled = (source: string): boolean => source === installed?.name

  const scanned = (request: AdmissionRequest, signal: AbortSignal): Found | undefined => {
    if (scan === undefined || request.origin === 'bundled') return undefined
    const { staged, isServing = false } = request
    const known = isServing ? seen.get(staged) : looking.get(staged.digest)
    const found = known ?? scan(request, signal)
    seen.set(staged, found)
    if (known !== undefined) return known
    looking.set(staged.digest, found)
    const over = (): boolean => looking.delete(staged.digest)
    void found.then(over, over)
    return found
  }

  const admit: Admission['admit'] = async (asked, signal) => {
    const found = await scanned(asked, signal)
    const locked = isInstalled(asked.source) ? installed?.locked(asked.id) : undefined
    if (isInstalled(asked.source) && locked === undefined) return notInstalled
    const verdict = judge(subjectOf(asked, locked, found))
    const isDeclared = asked.origin === 'external' && approvesDeclared?.(asked.source) === true
    return decisionOf(verdict, isDeclared ? [`what it asks for counts as approved, because it is from ${asked.source}`] : [])
  }

  const approved: Admission['approved'] = ({ id, origin, source }) => {
    if (origin === 'bundled' || approvesDeclared?.(source) === true) return undefined
    if (isInstalled(source)) return installed?.locked(id)?.plugin.permissions ?? none
    return grants?.permissionsOf(id) ?? none
  }

  const withheld: Admission['withheld'] = ({ id, source }) =>
    (isInstalled(source) ? installed?.locked(id)?.plugin.withheld : grants?.withheldFrom(id)) ?? none

  return { admit, approved, withheld }
}

type Found = Promise<readonly Finding[] | undefined>

const none: readonly string[] = Object.freeze([])
const notInstalled: AdmissionDecision = { ok: false, reason: 'it is not installed any more', fix: 'Install it again.' }

type Locked = NonNullable<ReturnType<InstalledSource['locked']>>

/** The lock says what a version must be. What was installed before it was approved then, and is judged as what it is. */
function subjectOf(
  { id, version, origin, source, path, staged }: AdmissionRequest,
  locked: Locked | undefined,
  findings: readonly Finding[] | undefined,
): Subject {
  const { attestations = [], arrival, digest } = staged
  const { source: from = placeOf(source, path), ...came } = arrival ?? {}
  const approved = locked?.plugin.version === version ? locked.artifact : undefined
  return {
    id,
    version,
    origin,
    source: from,
    digest,
    attestations,
    ...came,
    ...(approved === undefined ? {} : { locked: digestsOf(approved) }),
    ...(findings === undefined ? {} : { findings }),
  }
}

function digestsOf({ digest, archive }: Locked['artifact']): NonNullable<Subject['locked']> {
  return { digest, ...(archive === undefined ? {} : { archive }) }
}

/** One source may be of several directories; policies name the place of the package. */
function placeOf(source: string, path: string): string {
  return source.startsWith('directory:') ? `directory:${path}` : source
}

function decisionOf({ ok, trust, publisher, rules }: Verdict, waivers: readonly string[]): AdmissionDecision {
  const refusal = rules.find(({ outcome }) => outcome === 'refused')
  if (ok && refusal === undefined) {
    const waived = [...rules.filter(({ outcome }) => outcome === 'waived').map(({ reason }) => reason), ...waivers]
    return { ok: true, trust: { level: trust, waived, ...(publisher === undefined ? {} : { publisher }) } }
  }
  const { rule = 'verdict', reason = 'the verdict refuses it', fix = 'Look at the policy of the host.' } = refusal ?? {}
  return { ok: false, reason, fix, details: { rule, rules } }
}
