import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { addressKind, ownAddresses, type AddressKind } from '@backplane/sdk/address-ranges'
import { sourceErrors } from '../errors.ts'
import { messageOf } from '../message-of.ts'
import { hostOf, isAtHome, isLoopbackName, refused, shownUrl, type FetchHome } from './fetch-home.ts'

/** One address of a name. */
export interface NamedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Tells the addresses of a name. */
export type Resolve = (host: string) => Promise<readonly NamedAddress[]>

/** Asks the system, as every program does. */
export const systemResolve: Resolve = async (host) => {
  const answers = await lookup(host, { all: true })
  return answers.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/** Makes a connection go to one of these addresses, whatever the name means by then. */
export function lookupIn(addresses: readonly NamedAddress[]): LookupFunction {
  return (_host, { all }, done) => {
    const [first] = addresses
    if (all === true || first === undefined) done(null, [...addresses])
    else done(null, first.address, first.family)
  }
}

type Reach = AddressKind | 'loopback'

/**
 * The addresses a connection to `url` may be made to: a name is looked up once, and what was judged is what is dialled. The
 * place the options name may be in a private network, or on this machine where its name says so; where it leads to must be
 * public, or in such a place as it is itself. Nothing leads to a link, a metadata service or an address in disguise.
 * Errors: `FETCH_ADDRESS_REFUSED`, `FETCH_UNREACHABLE`.
 */
export async function dialledAddresses(url: URL, home: FetchHome, resolve: Resolve): Promise<readonly NamedAddress[]> {
  const atHome = isAtHome(url, home)
  const found = await reachesOf(url, resolve)
  const allowed: ReadonlySet<Reach> = atHome ? homely : await alsoReached(home, resolve)
  const addresses = found.filter(({ reach }) => allowed.has(reach)).map(({ named }) => named)
  if (addresses.length > 0) return addresses
  const [first] = found
  if (first === undefined) throw unreachable(url, 'its name has no address')
  throw refused(url.host, `it is at ${first.named.address}, ${because[first.reach]}`)
}

const homely: ReadonlySet<Reach> = new Set<Reach>(['public', 'private', 'own', 'loopback'])

const because: Readonly<Record<Reach, string>> = {
  public: 'a public address',
  private: 'an address of a private network',
  own: "one of this machine's own addresses",
  loopback: 'this machine itself',
  special: 'an address that no name may lead to',
}

async function alsoReached(home: FetchHome, resolve: Resolve): Promise<ReadonlySet<Reach>> {
  const found = await reachesOf(home.url, resolve)
  return new Set<Reach>(['public', ...found.map(({ reach }) => reach).filter((reach) => homely.has(reach))])
}

interface Reached {
  readonly named: NamedAddress
  readonly reach: Reach
}

async function reachesOf(url: URL, resolve: Resolve): Promise<readonly Reached[]> {
  const host = hostOf(url)
  const own = ownAddresses()
  return (await addressesOf(url, host, resolve)).map((named) => {
    return { named, reach: isLoopbackName(host) ? 'loopback' : addressKind(named.address, own) }
  })
}

async function addressesOf(url: URL, host: string, resolve: Resolve): Promise<readonly NamedAddress[]> {
  const family = isIP(host)
  if (family !== 0) return [{ address: host, family: family === 6 ? 6 : 4 }]
  if (host === 'localhost') return loopback
  try {
    return await resolve(host)
  } catch (error) {
    throw unreachable(url, messageOf(error), error)
  }
}

const loopback: readonly NamedAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

function unreachable(url: URL, reason: string, cause?: unknown): Error {
  return sourceErrors.error('FETCH_UNREACHABLE', { place: shownUrl(url), reason }, { cause })
}
