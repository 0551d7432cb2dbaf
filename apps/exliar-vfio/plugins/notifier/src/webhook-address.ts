import type { Secrets } from '@backplane/sdk'
import { notifierErrors } from './errors.ts'

/** What may stand in the place of a handle: a part of a path or of a query. */
const usable = /^[\w.~%+=:/-]{1,500}$/

/**
 * The address with its secrets filled in, asked for anew each time. Errors: those of the secrets, and
 * `NOTIFIER_SECRET_UNUSABLE` for one that would lead somewhere else.
 */
export async function webhookAddress(configured: string, secrets: Secrets): Promise<URL> {
  let address = configured
  for (const [handle, name = ''] of configured.matchAll(/\$\{secret:([\w./-]+)\}/g)) {
    const value = (await secrets.get(name)).trim()
    const reason = usable.test(value) ? undefined : 'it is empty, too long or holds characters that no address has'
    if (reason !== undefined || value.split('/').includes('..')) {
      throw notifierErrors.error('NOTIFIER_SECRET_UNUSABLE', { name, reason: reason ?? 'it leads out of its place' })
    }
    address = address.replace(handle, () => value)
  }
  return new URL(address)
}

/** What may be said of the address: its path is as good as a password. */
export function originOf(configured: string): string {
  return new URL(configured).origin
}
