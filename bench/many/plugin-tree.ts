import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A manifest of about 1.3 KB, as a plugin that lists and exports machines has it. */
export function manifestOf(number: number): unknown {
  return {
    schemaVersion: 1,
    id: `publisher-${number % 50}/plugin-${number}`,
    version: '1.2.3',
    description: `Plugin number ${number}, which lists, searches and exports machines. `.repeat(4),
    author: 'Somebody <somebody@example.org>',
    license: 'Apache-2.0',
    tags: ['cloud', 'export', `region-${number % 7}`],
    requires: { api: '^1.0.0' },
    contributes: {
      'bench.provider': { [`plugin-${number}`]: { display: `Plugin ${number}` } },
      'bench.hook': { it: { phase: 'normal' } },
    },
    dependencies: number % 10 === 9 ? [{ id: `publisher-${(number - 1) % 50}/plugin-${number - 1}`, range: '^1.0.0' }] : [],
    permissions: ['net:connect api.example.org:443', 'fs:read ./data'],
    limits: { memory: '128MiB', concurrency: 8, timeout: '30s' },
    config: {
      type: 'object',
      additionalProperties: false,
      properties: { token: { type: 'string' }, region: { type: 'string' } },
    },
    activation: 'lazy',
  }
}

/** Writes that many plugins, each a folder with its manifest and one module. */
export function writePluginTree(root: string, plugins: number): void {
  for (let number = 0; number < plugins; number++) {
    const folder = join(root, `plugin-${number}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifestOf(number), undefined, 2))
    writeFileSync(join(folder, 'index.js'), 'export default {}\n')
  }
}
