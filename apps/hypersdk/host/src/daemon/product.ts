/** Version of hypervisord. */
export const productVersion = '0.1.0'

/** Version of the API plugins are offered; their `requires.api` is matched against it. */
export const hostApiVersion = '1.0.0'

/** What `--version` prints. */
export function versionText(): string {
  return `hypervisord ${productVersion}\nplugin API ${hostApiVersion}\nNode ${process.versions.node}`
}
