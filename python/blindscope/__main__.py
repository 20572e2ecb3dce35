"""`python -m blindscope`"""

from ._command import main

main()
