import type { SecretBroker } from '@backplane/kernel'
import {
  commandSecrets,
  directorySecrets,
  encryptedSecrets,
  environmentSecrets,
  firstSecret,
  keyFile,
  keyringKey,
} from '@backplane/storage'
import type { Environment } from '../config/default-places.ts'
import type { SecretsConfig, SecretsPlace } from '../config/secrets-schema.ts'
import type { Redactor } from './redactor.ts'

/**
 * Looks secrets up in the places that the configuration names, in their order, anew each time: nothing is kept. Every
 * value that goes out is known to the redactor from then on. Errors: those of the places.
 */
export function secretBroker(config: SecretsConfig, env: Environment, redactor: Redactor): SecretBroker {
  const places = firstSecret(config.order.flatMap((place) => brokerOf(place, config, env) ?? []))
  return {
    resolve: async (name, plugin) => {
      const value = await places.resolve(name, plugin)
      if (value !== undefined) redactor.learn(value)
      return value
    },
  }
}

function brokerOf(place: SecretsPlace, config: SecretsConfig, env: Environment): SecretBroker | undefined {
  const { directory, environmentPrefix, encrypted, command } = config
  switch (place) {
    case 'files':
      return directory === undefined ? undefined : directorySecrets(directory)
    case 'environment':
      return environmentSecrets(env, environmentPrefix)
    case 'encrypted':
      if (encrypted === undefined) return undefined
      return encryptedSecrets(
        encrypted.file,
        encrypted.keyFile === undefined ? keyringKey(encrypted.keyring) : keyFile(encrypted.keyFile),
      )
    case 'command': {
      const [program, ...args] = command?.argv ?? []
      if (command === undefined || program === undefined) return undefined
      const named = command.environment.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]))
      const { timeoutMs, maxBytes } = command
      return commandSecrets({ argv: [program, ...args], env: Object.fromEntries(named), timeoutMs, maxBytes })
    }
    default:
      return place satisfies never
  }
}
