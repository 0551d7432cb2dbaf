import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { ResolvedAddress } from './vetted-addresses.ts'

/** Finds the addresses of a name; gives up when the signal says so, if it can. Errors: as the system's, by `code`. */
export type ResolveName = (host: string, signal: AbortSignal) => Promise<readonly ResolvedAddress[]>

/** Where a machine says who answers for names. */
export interface NameSources {
  /** Names and addresses of its own. Default `/etc/hosts`. */
  readonly hostsFile?: string
  /** Search list and `ndots`. Default `/etc/resolv.conf`. */
  readonly resolverFile?: string
  /** Servers to ask, `address:port`. Default: those of the system. */
  readonly servers?: readonly string[]
}

/** Longest wait for the first answer, ms; twice that for the second and last time. */
const answerMs = 2_000
const tries = 2
/** Of a search list, entries that are tried. */
const longestSearch = 6
/** What a server says of a name that has no address. */
const absent = new Set(['ENOTFOUND', 'ENODATA', 'ENONAME'])

/**
 * Asks as programs of this machine do, in the order `files dns` of nsswitch.conf: its own names, then its servers, with its
 * search list. Never through the system's resolver, which has few places for all that a process asks, and cannot be
 * stopped; what only that knows (mDNS, NIS, other modules) is not found. Both files are read each time.
 */
export function systemNames(sources: NameSources = {}): ResolveName {
  const { hostsFile = '/etc/hosts', resolverFile = '/etc/resolv.conf', servers } = sources
  return async (host, signal) => {
    const [hosts, settings] = await Promise.all([textOf(hostsFile), textOf(resolverFile)])
    const listed = listedAddresses(hosts, host)
    if (listed.length > 0) return listed
    signal.throwIfAborted()
    const resolver = new Resolver({ timeout: answerMs, tries })
    if (servers !== undefined) resolver.setServers(servers)
    const cancel = (): void => resolver.cancel()
    signal.addEventListener('abort', cancel)
    try {
      for (const name of namesToTry(host, settings)) {
        const answers = await served(resolver, name)
        signal.throwIfAborted()
        if (answers === 'unanswered') throw failed('EAI_AGAIN', host)
        if (answers.length > 0) return answers
      }
      throw failed('ENOTFOUND', host)
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
}

async function served(resolver: Resolver, name: string): Promise<readonly ResolvedAddress[] | 'unanswered'> {
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.map(asResolved) : []))
  const isAnswered = answers.every(
    (answer) => answer.status === 'fulfilled' || absent.has((answer.reason as { code?: string }).code ?? ''),
  )
  return found.length > 0 || isAnswered ? found : 'unanswered'
}

/** Source: hosts(5). */
function listedAddresses(hosts: string, host: string): readonly ResolvedAddress[] {
  return wordsOf(hosts).flatMap(([address = '', ...names]) =>
    isIP(address) > 0 && names.some((name) => name.toLowerCase() === host) ? [asResolved(address)] : [],
  )
}

/** As it is, before or after the search list by the number of its dots. Source: resolv.conf(5). */
function namesToTry(host: string, settings: string): readonly string[] {
  let search: readonly string[] = []
  let ndots = 1
  for (const [key, ...values] of wordsOf(settings)) {
    if (key === 'search' || key === 'domain') search = values
    const given = values.findLast((value) => value.startsWith('ndots:'))
    if (key === 'options' && given !== undefined) ndots = Number.parseInt(given.slice('ndots:'.length), 10)
  }
  const searched = search.slice(0, longestSearch).map((suffix) => `${host}.${suffix.replace(/\.$/, '')}`)
  return host.split('.').length - 1 >= ndots ? [host, ...searched] : [...searched, host]
}

function wordsOf(text: string): readonly (readonly string[])[] {
  return text.split('\n').map((line) =>
    line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/),
  )
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

function asResolved(address: string): ResolvedAddress {
  return { address, family: isIP(address) === 6 ? 6 : 4 }
}

/** As `dns.lookup` says it. */
function failed(code: 'EAI_AGAIN' | 'ENOTFOUND', hostname: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code} ${hostname}`), { code, hostname, syscall: 'getaddrinfo' })
}
