import { definePlugin } from '@backplane/sdk'

export default definePlugin(() => {
  for (;;);
})
