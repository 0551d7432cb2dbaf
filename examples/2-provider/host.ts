import { createKernel, memoryStore, type Runtime } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { directory } from '@backplane/sources'
import { notebook } from './points.ts'

/** What plugins import by name comes from the host. */
export const modules = {
  '@backplane/sdk': import.meta.resolve('@backplane/sdk'),
  '@example/notebook': import.meta.resolve('./points.ts'),
}

/** Keeps some notes of two people; the second half runs after the plugin was started anew. */
export async function keepNotes(runtime: Runtime, store: string): Promise<readonly string[]> {
  await using kernel = await createKernel({
    host: { name: 'notes', api: '1.0.0' },
    points: [notebook],
    sources: [directory(`${import.meta.dirname}/plugin`, { store, watch: false })],
    runtimes: [runtime],
    // The plugin is this program's own; what others bring is sandboxed unless this says otherwise.
    policy: { tier: () => runtime.tier, isolation: () => ({ floor: 'process', trust: 'first-party' }) },
    store: memoryStore(),
    settings: () => ({ config: { sealWith: '${secret:wax}' } }),
    secrets: { resolve: async (name) => (name === 'wax' ? 'a secret of the host' : undefined) },
  })
  const provider = kernel.provider(notebook, 'sealed')
  const said: string[] = []
  {
    await using ada = await provider.open({ owner: 'ada' })
    await using bob = await provider.open({ owner: 'bob' })
    await ada.add('the engine weaves patterns')
    await bob.add('milk')
    await ada.add('just as the loom weaves flowers')
  }
  await kernel.plugins.reload('example/sealed-notes')
  for (const owner of ['ada', 'bob']) {
    await using book = await provider.open({ owner })
    for (const { text, seal } of await book.list(null)) said.push(`${owner}: ${text} [${seal}]`)
  }
  return said
}

if (import.meta.main) {
  await using runtime = confined({ modules })
  for (const line of await keepNotes(runtime, '.backplane/packages')) console.log(line)
}
