import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PackageCode } from '@backplane/kernel'
import { isPluginModule, type PluginModule } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'

/**
 * Imports a plugin's main module and answers what it exports by default, through the package's adapter when it has one.
 * Errors: `RUNTIME_LOAD_FAILED`, with what was thrown as its cause.
 */
export async function loadPlugin(code: PackageCode, plugin: string): Promise<PluginModule> {
  if (code.kind === 'module') return code.module
  const failed = (reason: string, cause?: unknown): Error =>
    runtimeErrors.error('RUNTIME_LOAD_FAILED', { plugin, reason }, { plugin, cause })
  let exported: unknown
  try {
    const namespace: unknown = await import(pathToFileURL(join(code.directory, code.main)).href)
    exported = code.adapter === undefined ? Reflect.get(Object(namespace), 'default') : await adapt(code.adapter, namespace)
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error), error)
  }
  if (isPluginModule(exported)) return exported
  throw failed(`${code.main} does not export definePlugin(…) by default`)
}

async function adapt(adapter: string, namespace: unknown): Promise<unknown> {
  const url = adapter.startsWith('file:') ? adapter : pathToFileURL(adapter).href
  const module = (await import(url)) as { readonly adapt: (namespace: unknown) => unknown }
  return module.adapt(namespace)
}
