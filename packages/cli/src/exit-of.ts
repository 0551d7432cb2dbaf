import { kernelErrors } from '@backplane/kernel/check'
import type { PlatformError } from '@backplane/sdk'
import { clientErrors, exitCodeOf, HostError } from '@backplane/server/client'
import { archiveErrors, sourceErrors } from '@backplane/sources'
import { storageErrors } from '@backplane/storage'
import { trustErrors } from '@backplane/trust'
import { backplaneErrors } from './errors.ts'

const exits: Readonly<Record<string, { readonly exit: number }>> = {
  ...backplaneErrors.specs,
  ...clientErrors.specs,
  ...kernelErrors.specs,
  ...sourceErrors.specs,
  ...archiveErrors.specs,
  ...storageErrors.specs,
  ...trustErrors.specs,
}

/** The exit code of a failure: as the host says that answered with it, else as the catalogues here do. */
export function exitOf(failure: PlatformError): number | undefined {
  const exit = Object.hasOwn(exits, failure.code) ? exits[failure.code]?.exit : undefined
  if (!(failure instanceof HostError)) return exit
  return exitCodeOf(exit === undefined ? failure.problem : { exit, ...failure.problem })
}
