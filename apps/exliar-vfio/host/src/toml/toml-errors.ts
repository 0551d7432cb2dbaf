/** What TOML files, and plugins described by one, can be wrong in. */
export const tomlErrors = {
  TOML_INVALID: {
    message: '{file}:{line}:{column}: {problem}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct line {line} of {file}; toml.io shows how each kind of value is written.',
  },
  PLUGIN_TOML_INVALID: {
    message: '{place}: {problem}{suggestion}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Correct it there; docs/guide/exliar-plugins.md has every key of plugin.toml.',
  },
} as const
