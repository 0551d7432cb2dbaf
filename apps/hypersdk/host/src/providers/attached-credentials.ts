import { readFile } from 'node:fs/promises'
import type { EgressOptions, EgressQuestion } from '@backplane/runtimes'
import type { HostConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import { resolveHandles, type HandleSources } from '../secrets/resolve-handles.ts'

/**
 * The headers that `plugins.credentials` gives to requests of plugins. Handles are resolved for each request, so that a
 * secret that was changed counts at once and nothing holds it. Errors: `CONFIG_UNREADABLE` for the certificates; of a request
 * `CONFIG_HANDLE_UNRESOLVED`, which the plugin sees as a request that failed.
 */
export async function attachedCredentials(
  { plugins }: HostConfig,
  handles: HandleSources,
): Promise<Pick<EgressOptions, 'credentials' | 'ca'>> {
  const { credentials: attached, credentialsCa: file } = plugins
  if (attached.size === 0) return {}
  const credentials = async ({ plugin, authority }: EgressQuestion): Promise<Readonly<Record<string, string>> | undefined> => {
    const found = attached.get(authority)
    if (found?.plugins.includes(plugin) !== true) return undefined
    return (await resolveHandles(found.headers, `plugins.credentials.${authority}.headers`, handles)) as Record<string, string>
  }
  return { credentials, ...(file === undefined ? {} : { ca: await readCertificates(file) }) }
}

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw hypersdkErrors.error('CONFIG_UNREADABLE', { file, reason }, { cause: error })
  }
}
