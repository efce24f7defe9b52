/* rule: why a record of a file is a reject; rule.def is the table. */
#ifndef ETL_DUCK_RULE_H
#define ETL_DUCK_RULE_H

enum rule {
#define RULE(code, word) RULE_##code,
#include "etl/duck/rule.def"
#undef RULE
	RULE_COUNT
};

const char *rule_word(enum rule rule);

#endif
