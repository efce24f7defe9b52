/* The version this binary was built from. */
#ifndef LOADSTAR_BASE_VERSION_H
#define LOADSTAR_BASE_VERSION_H

/* "0.1.0", or "0.1.0+g1a2b3c4" when built from a checkout. Never NULL; static storage. */
const char *loadstar_version(void);

#endif
