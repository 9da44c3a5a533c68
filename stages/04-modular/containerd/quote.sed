# Makes a text the rest of a C string: each line one literal.
s/["\\]/\\&/g
s/.*/"&\\n"/
$a ;
