/* metrics_process: the process_* family of the metrics page, read from /proc when it is asked for.
 * */
#ifndef BASE_METRICS_PROCESS_H
#define BASE_METRICS_PROCESS_H

#include "base/text.h"

void metrics_add_process(struct text *page);

/* A sample's value as Prometheus spells it. */
void metrics_add_number(struct text *page, double value);

#endif
