import { addressKind, ownAddresses, type AddressKind } from '@backplane/sdk/address-ranges'
import type { Authority } from './authority.ts'

/** One answer of a resolver. */
export interface ResolvedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** The addresses that may be dialled, or why none may. */
export type Vetted =
  | { readonly allowed: true; readonly addresses: readonly ResolvedAddress[] }
  | { readonly allowed: false; readonly reason: string }

/** How a name is looked up and its answers are judged. */
export interface Vetting {
  readonly resolve: (host: string) => Promise<readonly ResolvedAddress[]>
  readonly allowPrivate: boolean
}

/**
 * Resolves a granted place once and leaves out where no name may lead. A place that was granted by its address is that
 * address, whatever it is; `localhost` is its own name for one (RFC 6761 §6.3). Errors: the resolver's.
 */
export async function vettedAddresses({ host, kind }: Authority, { resolve, allowPrivate }: Vetting): Promise<Vetted> {
  if (kind === 'address') return { allowed: true, addresses: [{ address: host, family: host.includes(':') ? 6 : 4 }] }
  if (host === 'localhost') return { allowed: true, addresses: loopback }
  const answers = await resolve(host)
  const own = ownAddresses()
  const judged = answers.map((answer) => ({ answer, kind: addressKind(answer.address, own) }))
  const addresses = judged
    .filter((one) => one.kind === 'public' || (allowPrivate && one.kind === 'private'))
    .map(({ answer }) => answer)
  if (addresses.length > 0) return { allowed: true, addresses }
  const [first] = judged
  if (first === undefined) return { allowed: false, reason: `${host} has no address` }
  return { allowed: false, reason: `${host} is ${first.answer.address}, ${because[first.kind]}` }
}

const loopback: readonly ResolvedAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

const because: Readonly<Record<AddressKind, string>> = {
  public: 'a public address',
  private: 'an address of a private network',
  own: "one of this machine's own addresses",
  special: 'an address that no name may lead to',
}
