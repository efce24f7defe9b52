/* bug: ASSERT for what cannot be false unless the programme is wrong. Always compiled in; never for outside input. */
#ifndef BASE_BUG_H
#define BASE_BUG_H

_Noreturn void bug(const char *expression, const char *file, int line);

#define ASSERT(expression) ((expression) ? (void)0 : bug(#expression, __FILE__, __LINE__))

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
