import { fileURLToPath } from 'node:url'
import { sourceErrors } from '../../errors.ts'
import { authorizationOf } from '../authorization.ts'
import type { Credential } from '../fetch-home.ts'
import type { GitAccess } from './git-repository.ts'

/** What is special about a host. */
export interface GitHost {
  /** Asked for at each use; sent to this host alone, also when it leads on to another, which is not followed. */
  readonly credential?: (signal: AbortSignal) => Promise<Credential | undefined> | Credential | undefined
  /** Certificates that may vouch for it, PEM. Default: the system's. */
  readonly caFile?: string
}

interface AllowedPlaces {
  readonly hosts?: Readonly<Record<string, GitHost>>
  readonly folders?: readonly string[]
}

/** How an address may be asked, if it may be at all. Errors: `FETCH_ADDRESS_REFUSED`, `FETCH_DENIED`. */
export async function accessTo(
  url: string,
  { hosts = {}, folders = [] }: AllowedPlaces,
  signal: AbortSignal,
): Promise<GitAccess> {
  const { protocol, host, origin, pathname } = new URL(url)
  if (protocol === 'file:') {
    if (folders.some((folder) => pathname.startsWith(folder.endsWith('/') ? folder : `${folder}/`))) {
      return { url, transport: { protocol: 'file', path: fileURLToPath(url) } }
    }
    throw sourceErrors.error('FETCH_ADDRESS_REFUSED', {
      place: pathname,
      reason: 'it lies in none of the folders repositories may be in',
    })
  }
  const known = Object.hasOwn(hosts, host) ? hosts[host] : undefined
  if (known === undefined) {
    throw sourceErrors.error('FETCH_ADDRESS_REFUSED', { place: host, reason: 'it is none of the hosts repositories may be on' })
  }
  const credential = await known.credential?.(signal)
  const { caFile } = known
  return {
    url,
    transport: {
      protocol: 'https',
      ...(caFile === undefined ? {} : { caFile }),
      ...(credential === undefined ? {} : { authorization: { origin, value: authorizationOf(credential, host) } }),
    },
  }
}
