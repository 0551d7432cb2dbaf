import { definePlugin } from '@backplane/sdk'
import { provider } from '@hypersdk/points'
import { exportImage } from './export-image.ts'
import { imageDirectory } from './image-directory.ts'
import { listImages, readImage } from './list-images.ts'

/** Serves the images of a directory as virtual machines. */
export default definePlugin((scope) => {
  scope.provide(provider, 'disk-images', {
    open: (config) => {
      const directory = imageDirectory(config.metadata?.['directory'])
      return {
        validateCredentials: async () => {
          await directory.files()
          return null
        },
        listVms: (_filter, call) => listImages(directory, call.signal),
        getVm: async ({ id }) => (await readImage(directory, id)).machine,
        searchVms: async ({ query }, call) => {
          const wanted = query.toLowerCase()
          const machines = await listImages(directory, call.signal)
          return machines.filter(({ id, name, tags }) =>
            [id, name, ...Object.entries(tags).flat()].join('\n').toLowerCase().includes(wanted),
          )
        },
        exportVm: (request, call) => exportImage(directory, request, call),
      }
    },
  })
})
