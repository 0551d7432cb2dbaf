// A HyperSDK provider in one file: every file of a folder is a machine whose disk is that file.
import { copyFile, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

// Read by hypervisord without running this file; it must be a constant.
export const PluginInfo = {
  name: 'folder',
  version: '1.0.0',
  description: 'Serves the files of a folder',
  license: 'Apache-2.0',
  provider_type: 'folder',
  capabilities: { supported_formats: ['raw'] },
  permissions: ['fs:read ${instances.*.metadata.directory}'],
}

export function NewProvider(config, log) {
  const folder = config.metadata.directory

  async function machine(name) {
    const { size, mtime } = await stat(join(folder, name))
    return { id: name, name, state: 'stopped', storage_gb: size / 1024 ** 3, updated_at: mtime }
  }

  return {
    async ListVMs() {
      const entries = await readdir(folder, { withFileTypes: true })
      return Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => machine(entry.name)))
    },

    GetVM(ctx, id) {
      return machine(basename(id))
    },

    async ExportVM(ctx, id, options) {
      if (options.format !== 'raw') throw new Error(`${id} can only be exported as raw`)
      const name = basename(id)
      const target = join(options.output_path, `${name}.raw`)
      log.info('copying', 'file', name)
      ctx.Update('copy', 0)
      await copyFile(join(folder, name), target)
      return { vm_name: name, format: 'raw', files: [target] }
    },
  }
}
