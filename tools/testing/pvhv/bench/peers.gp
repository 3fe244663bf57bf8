# SPDX-License-Identifier: GPL-2.0
#
# For gnuplot, from plot: in is the file that peers has written, with so many columns.
set terminal svg size 1200,640 font "sans-serif,12" background "white"
set datafile separator "\t"
set datafile missing "?"
set style data histogram
set style histogram cluster gap 1
set style fill solid border rgb "white"
set title "Instructions per operation, native is 1"
set key outside top center horizontal
set lmargin 20
set ylabel "times native"
set logscale y 2
set yrange [0.5:*]
set grid y
set xtics rotate by 40 right scale 0
plot for [i = 2:columns] in using i:xtic(1) title columnheader(i), 1 notitle linecolor "black"
