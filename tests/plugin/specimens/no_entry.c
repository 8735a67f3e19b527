/* A shared object that is no module. Its constructor must never run: the loader looks at the export table first. */
#include <stdlib.h>

static void loaded(void) __attribute__((constructor));
static void loaded(void) {
  abort();
}

int something_else(void);
int something_else(void) {
  return 1;
}
