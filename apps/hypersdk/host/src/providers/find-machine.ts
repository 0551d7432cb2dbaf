import { PlatformError, type CallOptions } from '@backplane/sdk'
import type { VmInfo } from '@hypersdk/points'
import { hypersdkErrors } from '../errors.ts'
import { getVm } from '../inventory/list-vms.ts'
import type { ProviderUse } from './provider-instance.ts'

/**
 * One machine by the provider's own id, normalised. Errors: `PROVIDER_MACHINE_UNKNOWN` when the plugin says so (an error
 * whose code ends in `_NOT_FOUND`), and those of the call.
 */
export async function findMachine(use: ProviderUse, id: string, call: CallOptions): Promise<VmInfo> {
  try {
    return await getVm(use.client, id, { ...call, providerType: use.type })
  } catch (error) {
    if (!saysNotFound(error)) throw error
    throw hypersdkErrors.error(
      'PROVIDER_MACHINE_UNKNOWN',
      { id, instance: use.instance },
      { plugin: use.lease.plugin, cause: error },
    )
  }
}

function saysNotFound(error: unknown): boolean {
  if (!(error instanceof PlatformError)) return false
  const code = error.details?.['pluginCode']
  return typeof code === 'string' && code.endsWith('_NOT_FOUND')
}
