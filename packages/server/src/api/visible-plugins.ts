import type { PluginDirectory } from '@backplane/kernel'
import { reaches, type Caller } from '../guard/caller.ts'

/** The plugins as far as they can be seen. */
export type VisiblePlugins = Pick<PluginDirectory, 'list' | 'get'>

/** Those a caller may see: to others than its own it cannot tell a plugin that is there from one that is not. */
export function visiblePlugins(plugins: PluginDirectory, caller: Caller | undefined): VisiblePlugins {
  if (caller?.plugins === undefined) return plugins
  return {
    list: () => plugins.list().filter(({ id }) => reaches(caller, id)),
    get: (id) => {
      const found = plugins.get(id)
      return found !== undefined && reaches(caller, found.id) ? found : undefined
    },
  }
}
