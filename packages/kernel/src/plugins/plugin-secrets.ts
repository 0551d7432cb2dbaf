import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { PluginSettings } from '../kernel.ts'
import { secretName, secretNames } from '../settings.ts'

/**
 * What a generation reads secrets with: those its settings name or its operator allowed and no others, each read recorded,
 * each refusal too, each value kept out of everything that is written afterwards. Takes the name, or the handle as it
 * stands in the settings.
 */
export function pluginSecrets(
  core: Core,
  { plugin, generation }: { readonly plugin: string; readonly generation: number },
  settings: PluginSettings,
): (handleOrName: string) => Promise<string> {
  const named = secretNames(settings.config)
  const allowed = settings.secrets ?? []
  const isGranted = (name: string): boolean => named.has(name) || allowed.some((pattern) => fits(pattern, name))
  return async (handleOrName) => {
    const name = secretName(handleOrName)
    if (!isGranted(name)) {
      const detail = 'neither its settings nor the operator name this secret'
      core.supervisor.violations.report(plugin, generation, { kind: 'grant', permission: `secret ${name}`, detail })
      throw kernelErrors.error('SECRET_NOT_GRANTED', { plugin, name }, { plugin })
    }
    let value: string | undefined
    try {
      value = await core.options.secrets?.resolve(name, plugin)
    } finally {
      core.events.record({ type: 'secret.read', plugin, name, found: value !== undefined })
    }
    if (value === undefined) {
      const from = settings.from ?? `settings of ${plugin}`
      throw kernelErrors.error('SECRET_UNRESOLVED', { from, path: '$', name }, { plugin })
    }
    core.redactor.add(value)
    return value
  }
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}
