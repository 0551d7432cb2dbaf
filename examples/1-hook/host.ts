import { createKernel, type Runtime } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { directory } from '@backplane/sources'
import { greeting } from './points.ts'

/** What plugins import by name comes from the host. */
export const modules = {
  '@backplane/sdk': import.meta.resolve('@backplane/sdk'),
  '@example/greeting': import.meta.resolve('./points.ts'),
}

/** Greets a visitor, as the plugins in `plugin/` want it. */
export async function greet(text: string, runtime: Runtime, store: string): Promise<string> {
  await using kernel = await createKernel({
    host: { name: 'greeter', api: '1.0.0' },
    points: [greeting],
    sources: [directory(`${import.meta.dirname}/plugin`, { store, watch: false })],
    runtimes: [runtime],
    // The plugin is this program's own; what others bring is sandboxed unless this says otherwise.
    policy: { tier: () => runtime.tier, isolation: () => ({ floor: 'process', trust: 'first-party' }) },
  })
  const { value, changes } = await kernel.emit(greeting, text)
  return `${value} (${changes.map(({ plugin, name }) => `${plugin} ${name}`).join(', ')})`
}

if (import.meta.main) {
  await using runtime = confined({ modules })
  console.log(await greet('good morning', runtime, '.backplane/packages'))
}
