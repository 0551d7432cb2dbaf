import { open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { definePlugin } from '@backplane/sdk'
import { provider } from '@hypersdk/points'

const chunkBytes = 1024 * 1024

/** Every file of a folder is a machine whose disk is that file. */
export default definePlugin((scope) => {
  scope.provide(provider, 'shelf', {
    open: ({ metadata }) => {
      const folder = metadata['directory']
      if (typeof folder !== 'string') throw new Error('an instance of shelf needs metadata.directory')
      const machine = async (name: string) => {
        const { size } = await stat(join(folder, name))
        return { id: name, name, state: 'stopped', storage_gb: size / 1024 ** 3 }
      }
      const list = async () => {
        const entries = await readdir(folder, { withFileTypes: true })
        return Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => machine(entry.name)))
      }
      return {
        validateCredentials: async () => void (await readdir(folder)),
        listVms: list,
        getVm: ({ id }) => machine(basename(id)),
        searchVms: async ({ query }) => (await list()).filter((vm) => vm.name.includes(query)),
        async *exportVm({ id, format }, call) {
          if (format !== 'raw') throw new Error(`${id} can only be exported as raw`)
          await using file = await open(join(folder, basename(id)))
          const { size } = await file.stat()
          yield { kind: 'disk', disk: 'disk0', format, size_bytes: size }
          for (let offset = 0; offset < size; offset += chunkBytes) {
            call.signal.throwIfAborted()
            const bytes = new Uint8Array(Math.min(chunkBytes, size - offset))
            await file.read(bytes, 0, bytes.length, offset)
            yield { kind: 'bytes', disk: 'disk0', offset, bytes }
          }
        },
      }
    },
  })
})
