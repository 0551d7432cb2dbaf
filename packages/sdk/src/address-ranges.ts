import { BlockList, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** What kind of place an address is. `private` is somebody's own network; `special` is nobody's to reach by a name. */
export type AddressKind = 'public' | 'private' | 'own' | 'special'

type Range = readonly [network: string, prefix: number]

/** Source: RFC 1918, RFC 6598 (carrier-grade NAT). */
const privateV4: readonly Range[] = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
]

/** Unspecified, loopback, link-local with the metadata services, tests, relays, multicast. Source: RFC 6890. */
const specialV4: readonly Range[] = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/**
 * Where clouds tell a machine its credentials outside the ranges above, in private ones and public: Azure, Alibaba.
 * Allowing private networks must not lead here.
 */
const metadataV4: readonly Range[] = [
  ['168.63.129.16', 32],
  ['100.100.100.200', 32],
]

/** The same of AWS, Google and Scaleway. */
const metadataV6: readonly Range[] = [
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
  ['fd00:42::42', 128],
]

/** Source: RFC 4193. */
const privateV6: readonly Range[] = [['fc00::', 7]]

/** All that is given out to the world lies in here. Source: RFC 4291 §2.4. */
const globalV6: readonly Range[] = [['2000::', 3]]

/** Of these, protocols' own with Teredo, documentation, 6to4: other addresses in disguise. Source: RFC 6890. */
const specialV6: readonly Range[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

function ranges(v4: readonly Range[], v6: readonly Range[]): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of v4) list.addSubnet(network, prefix, 'ipv4')
  for (const [network, prefix] of v6) list.addSubnet(network, prefix, 'ipv6')
  return list
}

const privateRanges = ranges(privateV4, privateV6)
const specialRanges = ranges([...specialV4, ...metadataV4], [...specialV6, ...metadataV6])
const globalRanges = ranges([], globalV6)

/** What an address of an answer is. IPv4 written as IPv6, or wrapped in it, is special whatever it holds. */
export function addressKind(address: string, own: ReadonlySet<string> = ownAddresses()): AddressKind {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  const isPrivate = privateRanges.check(address, family)
  const isGivenOut = family === 'ipv4' || isPrivate || globalRanges.check(address, family)
  if (!isGivenOut || specialRanges.check(address, family)) return 'special'
  if (own.has(address)) return 'own'
  return isPrivate ? 'private' : 'public'
}

/** Addresses that this machine itself has. */
export function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)))
}
