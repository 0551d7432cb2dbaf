import { createHmac } from 'node:crypto'
import { definePlugin, PlatformError } from '@backplane/sdk'
import { notebook, type Note } from '@example/notebook'

export default definePlugin<{ sealWith: string }>((scope) => {
  // A secret is fetched when it is used, so that a new one counts at once; the host records who fetched it.
  const seal = async (text: string): Promise<string> =>
    createHmac('sha256', await scope.secrets.get(scope.config.sealWith))
      .update(text)
      .digest('hex')
      .slice(0, 16)

  scope.provide(notebook, 'sealed', {
    open: ({ owner }) => {
      const key = `notes/${owner}`
      const read = async (): Promise<readonly Note[]> => ((await scope.state.get(key)) as Note[] | undefined) ?? []
      return {
        async add(text) {
          const note = { text, seal: await seal(text) }
          await scope.state.set(key, [...(await read()), note])
          return note
        },
        async list() {
          const notes = await read()
          for (const note of notes) {
            if (note.seal !== (await seal(note.text))) throw new PlatformError('NOTE_FORGED', `a note of ${owner} was changed`)
          }
          return [...notes]
        },
        close: () => scope.log.info(`closed the notebook of ${owner}`),
      }
    },
  })
})
