import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  SEED_SOURCE_UNREADABLE: {
    message: '{path} mentions PluginInfo but cannot be read: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct the module so that Node can load it.',
  },
  SEED_INFO_NOT_CONSTANT: {
    message: '{path}: {place} of PluginInfo is not a constant, so it cannot be known without running the plugin',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Write the value out, or put a plugin.json beside the module: {"schemaVersion": 1, "id": "you/{name}", "version": "1.0.0", "main": "index.js", "requires": {"api": "^1.0.0"}, "contributes": {"hypersdk.provider": {"{name}": {}}}}.',
  },
  SEED_INFO_INCOMPLETE: {
    message: '{path}: PluginInfo needs {field}, {problem}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Give PluginInfo at least name, version (such as 1.0.0) and provider_type.',
  },
  SEED_NAMES_UNEXPORTED: {
    message: '{path} exports pluginInfo and newProvider instead of PluginInfo and NewProvider',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Write both names with a capital.',
  },
  SEED_FACTORY_MISSING: {
    message: '{path} exports PluginInfo but no NewProvider',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Export NewProvider: a function of (config, logger) that answers the provider.',
  },
  SEED_FACTORY_INVALID: {
    message: 'NewProvider of {name} {problem}',
    status: 422,
    exit: 70,
    retryable: false,
    hint: 'Make NewProvider a function of (config, logger), a class, or an object with the methods of a provider.',
  },
  SEED_METHOD_MISSING: {
    message: 'the provider of {name} has no method {method}',
    status: 422,
    exit: 70,
    retryable: false,
    hint: 'Implement {method}; a provider needs at least ListVMs, GetVM and ExportVM.',
  },
  SEED_MACHINE_NOT_FOUND: {
    message: '{name} has no machine {id}',
    status: 404,
    exit: 66,
    retryable: false,
    hint: 'List the machines and use an id from the answer.',
  },
  SEED_RESULT_INVALID: {
    message: '{method} of {name} answered {problem}',
    status: 502,
    exit: 76,
    retryable: false,
    hint: 'Let {method} answer what the plugin development guide shows.',
  },
} as const

/** Errors of plugins written in the style of the seed's guide: of reading them, and of running them. */
export const seedErrors: ErrorCatalogue<keyof typeof specs> = defineErrors('SEED', specs)
