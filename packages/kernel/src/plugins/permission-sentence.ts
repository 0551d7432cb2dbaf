import { isAbsolute, resolve, sep } from 'node:path'
import { isIP } from 'node:net'
import type { PermissionRisk, PermissionVocabulary } from '@backplane/sdk'
import { addressKind } from '@backplane/sdk/address-ranges'
import { hostAndPort, noVocabulary, parsePermission, type PermissionVerb } from './permissions.ts'

/** A permission as people approve it. */
export interface PermissionSentence {
  /** As the manifest writes it. */
  readonly permission: string
  /** What it allows, to be read after "It may": `connect to api.example.com, port 443`. */
  readonly sentence: string
  readonly risk: PermissionRisk
  /** Why the risk is that, as the rest of a sentence. */
  readonly reason: string
}

interface Judged {
  readonly risk: PermissionRisk
  readonly reason: string
}

/** Below these, a file may be somebody's secret, or what starts other programs. */
const privatePlaces = ['/etc', '/root', '/home', '/proc', '/sys', '/dev', '/run', '/var/run', '/var/lib', '/boot']
/** Below these, writing changes what the machine runs. */
const programPlaces = ['/bin', '/sbin', '/lib', '/lib64', '/usr', '/opt', '/var/spool/cron']

/**
 * A permission in words, with how much harm it could do; `vocabulary` holds those the host names itself. Never throws: one that cannot be read is of high risk and says so. Sentences
 * hold what the manifest wrote; who shows them on a terminal blanks control characters.
 */
export function describePermission(permission: string, vocabulary: PermissionVocabulary = noVocabulary): PermissionSentence {
  try {
    const parsed = parsePermission('', permission, vocabulary)
    if (parsed.verb === 'host') {
      const { sentence, risk, reason } = parsed.kind
      return { permission, sentence, risk, reason }
    }
    const { verb, argument } = parsed
    const { risk, reason } = judged(verb, argument)
    return { permission, sentence: sentenceOf(verb, withPlaces(argument)), risk, reason }
  } catch {
    const reason = 'nobody can say what it allows; nothing is granted by it'
    return { permission, sentence: `do something this host does not know: ${permission}`, risk: 'high', reason }
  }
}

/** Several of them, the riskiest first, equals as they were written. */
export function describePermissions(
  permissions: readonly string[],
  vocabulary: PermissionVocabulary = noVocabulary,
): readonly PermissionSentence[] {
  const order: readonly PermissionRisk[] = ['high', 'medium', 'low']
  return permissions
    .map((permission) => describePermission(permission, vocabulary))
    .toSorted((one, other) => order.indexOf(one.risk) - order.indexOf(other.risk))
}

function sentenceOf(verb: PermissionVerb, argument: string): string {
  switch (verb) {
    case 'fs:read':
      return `read files in ${argument}`
    case 'fs:write':
      return `create, change and delete files in ${argument}`
    case 'exec':
      return `run ${argument}, with all this program can do`
    case 'net:connect': {
      const place = hostAndPort(argument) ?? argument
      const [, host = place, port] = /^(.+):(\d{1,5}|<[^>]+>)$/.exec(place) ?? []
      return `connect to ${host}${port === undefined ? '' : `, port ${port}`}`
    }
  }
}

/** What the operator's settings fill in is named as that. */
function withPlaces(argument: string): string {
  return argument.replaceAll(/\$\{([\w.*-]+)\}/g, (_, path: string) => `<${path}>`)
}

function judged(verb: PermissionVerb, argument: string): Judged {
  if (verb === 'exec') return { risk: 'high', reason: 'a program it runs may reach what the plugin itself is denied' }
  if (verb === 'net:connect') return judgedPlace(argument)
  return judgedPath(verb, argument)
}

function judgedPath(verb: 'fs:read' | 'fs:write', argument: string): Judged {
  const writes = verb === 'fs:write'
  const isFilled = argument.startsWith('${')
  const path = isAbsolute(argument) ? resolve(argument) : undefined
  if (path === undefined && argument.split('/').includes('..')) {
    return { risk: 'high', reason: `it leads out of ${isFilled ? 'what the settings of this host say' : 'its own directory'}` }
  }
  if (isFilled) return { risk: writes ? 'medium' : 'low', reason: 'the settings of this host say which place that is' }
  if (path === undefined) return { risk: 'low', reason: 'it is its own directory' }
  const places = writes ? [...privatePlaces, ...programPlaces] : privatePlaces
  const within = places.find((place) => isWithin(path, place) || isWithin(place, path))
  if (within !== undefined) {
    const reason = writes ? 'what lies there decides what this machine does' : 'secrets of this machine and its users lie there'
    return { risk: 'high', reason }
  }
  return writes
    ? { risk: 'medium', reason: 'it can destroy what others keep there' }
    : { risk: 'low', reason: 'it reads what lies there and changes nothing' }
}

function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent.endsWith(sep) ? parent : parent + sep)
}

function judgedPlace(argument: string): Judged {
  const place = hostAndPort(argument)
  const host = (place ?? argument).replace(/:\d+$/, '').replaceAll(/[[\]]/g, '').toLowerCase()
  const isNear = host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && addressKind(host) !== 'public')
  if (isNear) return { risk: 'high', reason: 'services of this machine and its network trust who is near' }
  // all of it: what stands behind a place may be somebody else's domain
  if (/^\$\{[\w.*-]+\}(?::\d{1,5})?$/.test(argument))
    return { risk: 'low', reason: 'the settings of this host say which place that is' }
  return { risk: 'medium', reason: 'what it reads can be sent there' }
}
