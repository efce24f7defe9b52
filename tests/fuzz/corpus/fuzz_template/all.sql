SELECT :a, E'\':a', $t$ :b $t$, "x":b, a[1:b]::text /* /* */ :c */ -- :a
 WHERE x >= :b AND :c