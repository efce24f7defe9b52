/* The only file that sees LOADSTAR_VERSION, so that a commit recompiles one object. */
#include "base/version.h"

#ifndef LOADSTAR_VERSION
#define LOADSTAR_VERSION "unknown"
#endif

const char *
loadstar_version(void)
{
	return LOADSTAR_VERSION;
}
