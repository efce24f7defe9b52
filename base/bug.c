#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>

void
bug(const char *expression, const char *file, int line)
{
	(void)fprintf(stderr, "{\"level\":\"fatal\",\"message\":\"bug: %s\",\"at\":\"%s:%d\"}\n", expression, file,
	    line);
	abort();
}
