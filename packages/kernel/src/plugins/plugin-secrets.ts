import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { PluginSettings } from '../kernel.ts'
import { secretName, secretNames } from '../settings.ts'

/**
 * What a plugin reads secrets with: those its settings name and no others, each read recorded, each value kept out of
 * everything that is written afterwards. Takes the name, or the handle as it stands in the settings.
 */
export function pluginSecrets(core: Core, plugin: string, settings: PluginSettings): (handleOrName: string) => Promise<string> {
  const granted = secretNames(settings.config)
  return async (handleOrName) => {
    const name = secretName(handleOrName)
    if (!granted.has(name)) throw kernelErrors.error('SECRET_NOT_GRANTED', { plugin, name }, { plugin })
    const value = await core.options.secrets?.resolve(name, plugin)
    core.events.record({ type: 'secret.read', plugin, name, found: value !== undefined })
    if (value === undefined) {
      const from = settings.from ?? `settings of ${plugin}`
      throw kernelErrors.error('SECRET_UNRESOLVED', { from, path: '$', name }, { plugin })
    }
    core.redactor.add(value)
    return value
  }
}
